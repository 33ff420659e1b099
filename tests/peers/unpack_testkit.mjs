// Writes the vectors of the npm package cctv-age as files, one each.
//   node unpack_testkit.mjs FOLDER
// Exit 77: the package is not installed.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (!folder) {
  console.error("usage: node unpack_testkit.mjs FOLDER");
  process.exit(2);
}

let vectors;
try {
  vectors = await import("cctv-age");
} catch (error) {
  console.log(`skipped: cctv-age is not installed (${error.code}); ` +
              "run `npm ci` in tests/peers");
  process.exit(77);
}

mkdirSync(folder, { recursive: true });
for (const [name, data] of Object.entries(vectors)) {
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error(`odd name: ${name}`);
  writeFileSync(join(folder, name), data);
}
console.log(`${Object.keys(vectors).length} vectors in ${folder}`);
