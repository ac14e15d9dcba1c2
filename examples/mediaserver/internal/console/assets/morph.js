// morph makes an element of the page the same as a fresh one and keeps what need not change: the focus, what is scrolled, what
// is opened. Elements with data-own belong to scripts and stay as they are.

const mine = (node) => node.nodeType === Node.ELEMENT_NODE && node.hasAttribute("data-own");

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    const opened = name === "open" && old.nodeName === "DETAILS"; // by who looks at it
    if (!fresh.hasAttribute(name) && !opened) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function children(old, fresh) {
  const had = [...old.childNodes].filter((n) => !mine(n)), wanted = [...fresh.childNodes];
  wanted.forEach((node, i) => {
    if (i >= had.length) old.insertBefore(node, [...old.childNodes].find(mine) ?? null);
    else morph(had[i], node);
  });
  for (const node of had.slice(wanted.length)) node.remove();
}

export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  attributes(old, fresh);
  children(old, fresh);
}

// morphHTML makes the content of an element that of HTML from the server.
export function morphHTML(element, html) {
  const template = document.createElement("template");
  template.innerHTML = html; // drawn by html/template on the server, and scripts in it would not run
  children(element, template.content);
}
