// The page a provider sends a person back to. It tells the page that is waiting
// to ask the server now, and never what the outcome is: a forged hint costs one
// harmless read. Where it worked, it closes its window or goes back to the row.
"use strict";

const page = document.querySelector("[data-flow]");
if (page) {
  const handle = page.dataset.flow;
  try {
    new BroadcastChannel("linkwell-flow").postMessage(handle);
  } catch {
    // Storage is partitioned or off; the server's own event arrives anyway.
  }
  if (window.opener) {
    window.opener.postMessage(handle, window.location.origin);
  }
  const back = page.dataset.return;
  // A provider that isolates its window also takes away its name and its opener,
  // but a window without toolbars is still the one that was opened here.
  const opened = window.name === "linkwell-oauth" || !window.toolbar.visible;
  if (back && opened) {
    setTimeout(() => window.close(), 600);
  } else if (back) {
    window.location.replace(back);
  }
}
