// Shows and wires the copy buttons; without scripts the value is selected by hand.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const word = button.querySelector("[data-copy-word]");
  const usual = word.textContent;
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    word.textContent = "Copied";
    setTimeout(() => (word.textContent = usual), 2000);
  });
}
