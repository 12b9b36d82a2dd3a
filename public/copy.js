// Shows and wires the copy buttons; without scripts the value is selected by hand.
// Parts of a page are drawn again, so that buttons come later, too.
"use strict";

function show() {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

if (navigator.clipboard) {
  show();
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button) return;
    const word = button.querySelector("[data-copy-word]");
    const value = button.dataset.copy || button.previousElementSibling.innerText;
    await navigator.clipboard.writeText(value);
    word.textContent = "Copied";
    setTimeout(() => (word.textContent = "Copy"), 2000);
  });
}
