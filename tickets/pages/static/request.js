// Keeps the deadlines of a form that lies open those of this moment. The form works without it.
"use strict";

(() => {
  const form = document.querySelector("form[data-deadlines]");
  if (!form) return;

  // What is chosen is said aloud when it changes.
  document.querySelector(".chosen")?.setAttribute("role", "status");

  const refresh = async () => {
    if (document.hidden) return;
    let now;
    try {
      const answer = await fetch(form.dataset.deadlines, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      now = await answer.json();
    } catch {
      return; // without a connection the deadlines stay those of when it was read
    }
    for (const time of document.querySelectorAll("time[data-due]")) {
      const due = now.respond_by[time.dataset.due];
      if (due && time.textContent !== due.words) {
        time.textContent = due.words;
        time.dateTime = due.at;
      }
    }
    const support = document.querySelector("[data-support]");
    if (support) support.textContent = now.support;
  };

  setInterval(refresh, 60000);
  document.addEventListener("visibilitychange", refresh);
  form.addEventListener("change", (event) => {
    if (event.target.name === "offline" || event.target.name === "wait") refresh();
  });
})();
