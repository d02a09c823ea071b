// A promise that nobody waits for, and an assertion with several lines.
const assert = require('assert');
const fs = require('fs');
fs.writeSync(1, `${process.env.HEAD || ''}the shop opens\n`);
async function sell() {
  assert.strictEqual(1 + 1, 3);
}
sell();
