// Every key pressed on the page is the app's: space and escape stop, wherever the focus happens to be.
// The terminal of the page (xterm.js) takes keys only while its own hidden field has the focus, and textual.js never
// gives it the focus. textual.js marks the page -loaded once its websocket is open, and -closed once that is closed.
"use strict";
{
  const field = () => document.querySelector(".xterm-helper-textarea");

  const isOpen = () => {
    const marks = document.body.classList;
    return marks.contains("-loaded") && !marks.contains("-closed");
  };

  const focus = () => {
    if (isOpen()) field().focus();
  };

  const passOn = (event) => {
    if (!isOpen() || event.target === field()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    focus();
    // xterm.js goes by the number of a key, which the event's own initialiser takes as well.
    field().dispatchEvent(new KeyboardEvent("keydown", event));
  };

  document.addEventListener("keydown", passOn, true);
  window.addEventListener("focus", focus);
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(focus).observe(document.body, { attributeFilter: ["class"] });
  });
}
