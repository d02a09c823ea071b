// A shop whose till fails because the stock failed.
const head = process.env.HEAD || '';
const fs = require('fs');
const say = (text) => fs.writeSync(1, `${head}${text}\n`);

function take(item) {
  const error = new TypeError(`no ${item} since 12:00:01`);
  error.code = 'SOLD_OUT';
  throw error;
}

function sell(item) {
  try {
    take(item);
  } catch (error) {
    throw new Error(`cannot sell ${item}`, { cause: error });
  }
}

for (let number = 0; number < 3; number += 1) say(`customer ${number} enters the shop`);
sell('tea');
