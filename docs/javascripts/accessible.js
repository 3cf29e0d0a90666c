// What the theme leaves out for those who use a keyboard or a screen reader.
document$.subscribe(() =>
  setTimeout(() => {
    document.querySelectorAll('.md-search[role="dialog"]').forEach((dialog) => dialog.setAttribute("aria-label", "Search"));
    document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => table.setAttribute("tabindex", "0"));
  }),
);
