// The one script of the console. Every page works without it; with it, pages show news by themselves, and a
// hardware key can be asked. It makes no element of a text, and asks nobody but the console.
"use strict";

const byId = (name) => document.getElementById(name);

// --- a hardware key signs in ---

const sign = byId("sign");
if (sign) {
  let busy = false;
  sign.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    const trouble = byId("trouble");
    trouble.textContent = "";
    try {
      const options = JSON.parse(sign.dataset.options);
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const credential = await navigator.credentials.get({ publicKey });
      sign.elements.response.value = JSON.stringify(credential.toJSON());
      sign.submit();
    } catch (error) {
      trouble.textContent = `The hardware key did not sign: ${error.name}. Nothing was done.`;
    } finally {
      busy = false;
    }
  });
}

// --- filters are sent when one has chosen ---

for (const form of document.querySelectorAll("form[data-filter]")) {
  form.addEventListener("submit", () => {
    // what is empty is not part of an address
    for (const field of form.querySelectorAll("input, select")) field.disabled = field.value === "";
  });
}
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-filter] :disabled")) field.disabled = false;
});

// --- news ---

const main = byId("main");
if (main && main.dataset.events) {
  const state = byId("live-state");
  const button = byId("live-switch");
  let source = null;
  let waiting = false;

  const say = (words) => { if (state.textContent !== words) state.textContent = words; };

  // the browser makes the page of what it gets; no script in it runs, and no text of ours becomes an element
  const renew = () => {
    if (waiting) return;
    waiting = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.setRequestHeader("immure-news", "1"); // nobody has clicked: the session may end
    request.responseType = "document";
    request.timeout = 30000;
    request.onloadend = () => {
      waiting = false;
      const fresh = request.status === 200 && request.responseXML
        ? request.responseXML.getElementById("content") : null;
      if (!fresh) return say("News cannot be fetched; load the page again.");
      put(fresh);
      say(`New at ${new Date().toISOString().slice(11, 19)} UTC`);
    };
    request.send();
  };

  const put = (fresh) => {
    const old = byId("content");
    const active = document.activeElement;
    // who is filling in a form must not lose what they have written
    if (active && old.contains(active) && active.matches("input, select, textarea")) {
      active.addEventListener("blur", renew, { once: true });
      return;
    }
    const open = new Set([...old.querySelectorAll("details[open][id]")].map((one) => one.id));
    const focus = active && old.contains(active) ? path(active, old) : null;
    const adopted = document.adoptNode(fresh);
    for (const one of adopted.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
    old.replaceWith(adopted);
    const again = focus && find(focus, adopted);
    if (again) again.focus({ preventScroll: true });
  };

  // where an element is, so that the keyboard stays where it was
  const path = (element, top) => {
    if (element.id) return element.id;
    const steps = [];
    for (let one = element; one !== top; one = one.parentElement) {
      steps.unshift([...one.parentElement.children].indexOf(one));
    }
    return steps;
  };
  const find = (where, top) => typeof where === "string"
    ? byId(where) : where.reduce((one, step) => one && one.children[step], top);

  const stop = (words) => {
    if (source) source.close();
    source = null;
    button.textContent = "Go on live";
    say(words);
  };
  const start = () => {
    source = new EventSource(main.dataset.events);
    button.textContent = "Pause";
    source.onopen = () => say("Live");
    source.onerror = () => say("Not connected; trying again.");
    source.addEventListener("changed", (event) => {
      if (JSON.parse(event.data).page === main.dataset.page) renew();
    });
    source.addEventListener("ended", () => stop("Your session has ended; sign in again."));
  };
  button.hidden = false;
  button.addEventListener("click", () => (source ? stop("Paused") : start()));
  start();
}
