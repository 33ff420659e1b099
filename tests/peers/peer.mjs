// Encrypts or decrypts standard input with the age-encryption package.
//
//   node peer.mjs encrypt [--armor] (--recipient R... | --passphrase P)
//   node peer.mjs decrypt (--identity I... | --passphrase P)
//
// --stream: piece by piece, as large inputs have to be.
//
// The passphrases of tests are no secrets.
import { webcrypto } from "node:crypto";
import { createReadStream, readFileSync, writeSync } from "node:fs";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";

globalThis.crypto ??= webcrypto; // not there by itself in node 18
const age = await import("age-encryption");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    armor: { type: "boolean", default: false },
    recipient: { type: "string", multiple: true, default: [] },
    identity: { type: "string", multiple: true, default: [] },
    passphrase: { type: "string" },
    "work-factor": { type: "string", default: "10" },
    stream: { type: "boolean", default: false },
  },
});

async function encrypt(plain) {
  const to = new age.Encrypter();
  values.recipient.forEach((r) => to.addRecipient(r));
  if (values.passphrase !== undefined) {
    to.setScryptWorkFactor(Number(values["work-factor"]));
    to.setPassphrase(values.passphrase);
  }
  const sealed = await to.encrypt(plain);
  return values.armor ? Buffer.from(age.armor.encode(sealed)) : sealed;
}

async function decrypt(file) {
  const from = new age.Decrypter();
  values.identity.forEach((i) => from.addIdentity(i));
  if (values.passphrase !== undefined) from.addPassphrase(values.passphrase);
  const armored = !values.stream && file[0] === "-".charCodeAt(0);
  const sealed = armored ? age.armor.decode(file.toString("latin1")) : file;
  return from.decrypt(sealed);
}

function writeAll(data) {
  for (let at = 0; at < data.length; ) at += writeSync(1, data, at);
}

const work = { encrypt, decrypt }[positionals[0]];
if (values.stream) {
  const out = await work(Readable.toWeb(createReadStream(null, { fd: 0 })));
  for await (const piece of out) writeAll(piece);
} else {
  writeAll(await work(readFileSync(0)));
}
