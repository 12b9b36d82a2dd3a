// The pages that stand alone.
//
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
  if (back && page.dataset.popup) {
    setTimeout(() => {
      window.close();
      // No script opened this one: a person went on in the tab they were in.
      if (!window.closed) {
        window.location.replace(back);
      }
    }, 600);
  } else if (back) {
    window.location.replace(back);
  }
}

// A provider that puts the token behind the `#` of the address, which no server
// sees: it is posted on, and nothing of it stays in the history. Nothing there is
// an answer, too: somebody said no.
const fragment = document.querySelector("form[data-fragment]");
if (fragment) {
  const told = new URLSearchParams(window.location.hash.slice(1));
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  for (const [name, value] of told) {
    let field = fragment.elements.namedItem(name);
    if (!field) {
      field = document.createElement("input");
      field.type = "hidden";
      field.name = name;
      fragment.append(field);
    }
    // What the address said before the `#` stays: the state is not the token's to change.
    field.value ||= value;
  }
  // Not by its own name: a field told there could be called so.
  HTMLFormElement.prototype.submit.call(fragment);
}

// A provider that posts its answer: our cookies come along only when this site
// posts it again.
document.querySelector("form[data-post-again]")?.submit();
