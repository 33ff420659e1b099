// Writes each test vector of the cctv-age package to a file of a folder.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import * as vectors from "cctv-age";

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
for (const [name, data] of Object.entries(vectors.default ?? vectors)) {
  writeFileSync(join(folder, name), data);
}
