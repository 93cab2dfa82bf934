import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { findReasonToSkip } from "./required-programs.ts";
import { createTestCertificates, opensslPrograms } from "./test-certificates.ts";
import type { CertificatePair } from "./test-certificates.ts";

const certificatesTest = { skip: await findReasonToSkip(opensslPrograms) };

const isUntrusted = { code: /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/ };

interface PairText {
  readonly cert: Buffer;
  readonly key: Buffer;
}

async function read({ certificate, key }: CertificatePair): Promise<PairText> {
  return { cert: await readFile(certificate), key: await readFile(key) };
}

test("each authority vouches for its own, by name and by address", certificatesTest, async () => {
  await using certificates = await createTestCertificates();
  const ca = await readFile(certificates.ca);
  const foreignCa = await readFile(certificates.foreignCa);
  const client = await read(certificates.client);
  await using server = createServer(
    { ...(await read(certificates.server)), ca, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      socket.on("error", () => undefined);
      socket.end(String(socket.getPeerCertificate().subject.CN));
    },
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const dial = async (options: ConnectionOptions): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port: address.port, ...options });
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += String(chunk);
    return text;
  };
  // What the server answers is whom it took the client for; nothing means: for nobody.
  assert.equal(await dial({ ca, ...client }), "banyan");
  assert.equal(await dial({ ca, ...client, servername: "localhost" }), "banyan");
  await assert.rejects(dial({ ca, ...client, servername: "elsewhere" }), /altnames/);
  await assert.rejects(dial({ ca: foreignCa, ...client }), isUntrusted);
  await assert.rejects(dial({ ca }), { code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" });
  const foreign = await read(certificates.foreignClient);
  assert.equal(await dial({ ca, ...foreign }), "");
});

test("the end of the scope leaves no folder", certificatesTest, async () => {
  let folder = "";
  {
    await using certificates = await createTestCertificates();
    folder = certificates.directory;
    assert.ok(existsSync(certificates.client.key));
  }
  assert.equal(existsSync(folder), false);
});
