setInterval(() => {
  const isRead = document.activeElement !== document.body || String(getSelection()) !== "";
  if (document.hidden || isRead) return;
  fetch("/healthz").then((answer) => answer.ok && location.reload()).catch(() => {});
}, 60000);
