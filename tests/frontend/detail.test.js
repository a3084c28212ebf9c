import assert from "node:assert/strict";
import { test } from "node:test";
import { Detail } from "../../tta_memory_nb/notebook/explorer/frontend/detail.js";

/** The elements of a page that an empty panel needs. */
const page = { createElement: () => ({ hidden: true, setAttribute() {}, addEventListener() {}, append() {} }) };

test("a kernel that is lost before it has sent a record leaves nothing to draw", (context) => {
  globalThis.document = page;
  context.after(() => delete globalThis.document);
  const sent = [];
  const view = { isLost: false, state: { namespace: "default" }, channel: { send: (verb, content) => sent.push([verb, content]) } };
  const detail = new Detail(view);
  detail.open("ann:mon");
  assert.deepEqual(sent, [["record", { key: "ann:mon", whole: false }]]);
  view.isLost = true;
  detail.redraw();
  assert.equal(detail.element.hidden, true);
});
