// Draws the marked part of a page again whenever something changed, where no
// island does. One tab holds the event stream and passes on what it hears, in
// the same words as the islands' program.
"use strict";

const CHANNEL = "linkwell-events";
const channel = new BroadcastChannel(CHANNEL);
let busy = false;
let stale = false;

// Where something is: in the row of which link, and what it is called there.
function place(element) {
  const row = element.closest("li, section")?.querySelector("a")?.href;
  const named = element.id || element.href || (element.querySelector("summary") ?? element).textContent;
  return [row, element.tagName, named].join("\n");
}

// What somebody unfolded stays so, and the focus where it was.
function replace(part, html) {
  const open = [...part.querySelectorAll("details[open]")].map(place);
  const held = document.activeElement;
  const focus = part.contains(held) && place(held);
  part.innerHTML = html;
  for (const fold of part.querySelectorAll("details")) fold.open ||= open.includes(place(fold));
  if (focus === false) return;
  const again = [...part.querySelectorAll(held.tagName)].find((one) => place(one) === focus);
  again?.focus({ preventScroll: true });
}

async function draw() {
  stale = true;
  if (busy) return;
  busy = true;
  while (stale) {
    stale = false;
    const answer = await fetch(location.href).catch(() => undefined);
    if (answer?.redirected) location.reload();
    if (!answer?.ok) continue;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live], #bell")) {
      const fresh = page.getElementById(part.id);
      if (fresh && fresh.innerHTML !== part.innerHTML) replace(part, fresh.innerHTML);
    }
  }
  busy = false;
}

function passOn(change) {
  channel.postMessage(change);
  if (!change.startsWith("attempt ")) draw();
}

function lead() {
  const events = new EventSource("/events");
  let missed = false;
  events.addEventListener("connection", (event) => passOn(`connection ${JSON.parse(event.data).id}`));
  events.addEventListener("flow", (event) => passOn(`attempt ${JSON.parse(event.data).handle}`));
  events.addEventListener("error", () => {
    missed = true;
  });
  events.addEventListener("open", () => {
    if (missed) passOn("anything");
    missed = false;
  });
}

channel.addEventListener("message", ({ data }) => {
  if (!String(data).startsWith("attempt ")) draw();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") draw();
});
if (navigator.locks) {
  // Held until the tab is closed.
  navigator.locks.request(CHANNEL, () => {
    lead();
    return new Promise(() => {});
  });
} else {
  lead();
}
