// The theme's search is a dialog without a name, which a screen reader needs.
document.querySelectorAll('.md-search[role="dialog"]').forEach((dialog) => dialog.setAttribute("aria-label", "Search"));
