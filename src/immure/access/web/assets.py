"""The style of the pages, and their one script."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif }
body { margin: 0; padding: 1rem; overflow-wrap: anywhere; background: Canvas; color: CanvasText }
main, header { max-width: 46rem; margin: 0 auto }
header, .who { display: flex; flex-wrap: wrap; gap: 0 1.25rem; align-items: center }
header { justify-content: space-between }
.who p { margin: 0 }
h1 { font-size: 1.5rem; margin: .5rem 0 }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: .75rem 0 .5rem }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 }
.hint { display: block; font-size: .9rem; margin: 0 0 .25rem }
input, select, textarea { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem;
  border: 1px solid; border-radius: .25rem; background: Field; color: FieldText }
.code, pre { font: .9rem/1.4 ui-monospace, monospace }
button { font: inherit; margin: 1rem .5rem 0 0; padding: .5rem 1rem; border: 2px solid #1d4ed8;
  border-radius: .25rem; background: #1d4ed8; color: #fff; cursor: pointer }
button.second { background: transparent; border-color: currentColor; color: inherit }
.who button { margin: .25rem 0 }
:focus-visible, input:focus-within { outline: 3px solid #3b82f6; outline-offset: 2px }
.skip { position: absolute; left: -100rem; padding: .5rem }
.skip:focus { position: static; display: inline-block }
.card { border: 1px solid; border-radius: .5rem; padding: .25rem 1rem 1rem; margin: 1rem 0 }
.card form { display: inline }
.words { list-style: none; padding: .75rem 1rem; margin: 1rem 0; border-left: .25rem solid #1d4ed8 }
.words li, pre { white-space: pre-wrap }
.error { border-left: .25rem solid #b91c1c; padding-left: .75rem }
.error:empty { display: none }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; margin: .5rem 0 }
nav a { display: inline-block; padding: .25rem 0 }
"""

#: Hands the options to the browser, and the response to the form. It shows nothing but what went wrong.
SCRIPT: Final = """"use strict";
const form = document.getElementById("sign");
const trouble = document.getElementById("trouble");

async function respond(options, register) {
  if (register) {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return navigator.credentials.get({ publicKey });
}

let busy = false;
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  trouble.textContent = "";
  try {
    const credential = await respond(JSON.parse(form.dataset.options), form.dataset.act === "register");
    form.elements.response.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    trouble.textContent = "The hardware key did not sign: " + error.name + ". Nothing was done.";
  } finally {
    busy = false;
  }
});
"""
