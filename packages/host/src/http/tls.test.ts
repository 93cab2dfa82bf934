import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { before, describe, test } from "node:test";
import { setTimeout as realSleep } from "node:timers/promises";
import { createRecordingLog, FakeClock, temporaryDirectory, withTimeout } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import { openNode } from "../node.ts";
import { defineSample, eventually, flagsOf } from "../sample-node.test.ts";

/** A tool of the machine, not of the repository. */
const openssl = "openssl";

const hasOpenssl = ((): boolean => {
  try {
    execFileSync(openssl, ["version"]);
    return true;
  } catch {
    return false;
  }
})();

async function makePair(directory: TemporaryDirectory, name: string): Promise<void> {
  const files = ["-keyout", directory.join(`${name}.key`), "-out", directory.join(`${name}.crt`)];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", `/CN=${name}`, "-days", "2"];
  execFileSync(openssl, ["req", "-x509", ...curve, ...files, ...subject], { stdio: "ignore" });
}

async function install(directory: TemporaryDirectory, cert: string, key: string): Promise<void> {
  await copyFile(directory.join(`${key}.key`), directory.join("now.key"));
  await copyFile(directory.join(`${cert}.crt`), directory.join("now.crt"));
}

interface Secure {
  readonly socket: TLSSocket;
  readonly name: string;
  get(path: string): Promise<string>;
}

/** A connection that trusts anybody and says whose certificate it saw. */
async function dial(url: string): Promise<Secure> {
  const port = Number(new URL(url).port);
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise((resolve, reject) =>
    socket.once("secureConnect", resolve).once("error", reject),
  );
  const name = socket.getPeerCertificate().subject.CN;
  return {
    socket,
    name: String(name),
    get(path) {
      const answer = new Promise<string>((resolve) => {
        let text = "";
        const take = (chunk: Buffer): void => {
          text += chunk.toString();
          if (!text.includes("}")) return;
          socket.off("data", take);
          resolve(text);
        };
        socket.on("data", take);
      });
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return withTimeout(answer, { what: "An answer over TLS" });
    },
  };
}

describe("HTTPS", { skip: hasOpenssl ? false : "openssl is not installed here" }, () => {
  let pairs: TemporaryDirectory;
  before(async () => {
    pairs = await temporaryDirectory("tls");
    await makePair(pairs, "first");
    await makePair(pairs, "second");
  });

  const open = async () => {
    const clock = new FakeClock();
    const log = createRecordingLog();
    const tls = { certFile: pairs.join("now.crt"), keyFile: pairs.join("now.key") };
    const config = { flags: flagsOf({ "/http/tls": tls }) };
    const node = await openNode({ services: [defineSample()], inMemory: true, clock, log, config });
    return { node, clock, log, url: node.url ?? "", [Symbol.asyncDispose]: () => node.close() };
  };

  test("serves, and takes a new certificate without dropping a connection", async () => {
    await install(pairs, "first", "first");
    await using world = await open();
    assert.match(world.url, /^https:/);
    const old = await dial(world.url);
    assert.equal(old.name, "first");
    assert.match(await old.get("/healthz"), /200 OK/);
    await install(pairs, "second", "second");
    await untilLogged(world, "certificate reloaded");
    const fresh = await dial(world.url);
    assert.equal(fresh.name, "second");
    assert.match(await fresh.get("/healthz"), /200 OK/);
    assert.match(await old.get("/healthz"), /200 OK/);
    old.socket.destroy();
    fresh.socket.destroy();
  });

  test("keeps the old certificate when the new pair does not fit, and says so once", async () => {
    await install(pairs, "first", "first");
    await using world = await open();
    await install(pairs, "second", "first");
    await untilLogged(world, "certificate not reloaded; the old one stays in force");
    for (let tries = 0; tries < 3; tries += 1) await world.clock.advance(1000);
    const warned = world.log.lines.filter(({ level }) => level === "warn");
    assert.equal(warned.length, 1);
    const { name, socket } = await dial(world.url);
    assert.equal(name, "first");
    socket.destroy();
    await install(pairs, "second", "second");
    await untilLogged(world, "certificate reloaded");
  });

  test("says once that a file is gone, and takes the pair that comes back", async () => {
    await install(pairs, "first", "first");
    await using world = await open();
    await rm(pairs.join("now.key"));
    await untilLogged(world, "certificate not reloaded; the old one stays in force");
    for (let tries = 0; tries < 10; tries += 1) {
      await world.clock.advance(1000);
      await realSleep(5);
    }
    assert.equal(world.log.lines.filter(({ level }) => level === "warn").length, 1);
    await install(pairs, "second", "second");
    await untilLogged(world, "certificate reloaded");
  });

  test("refuses to start with a pair that does not fit or is not there", async () => {
    await install(pairs, "first", "second");
    await assert.rejects(open(), {
      code: "NODE_START_FAILED",
      message: /now\.crt.*cannot be used/,
    });
    await writeFile(pairs.join("now.crt"), "no certificate");
    await assert.rejects(open(), { code: "NODE_START_FAILED" });
    assert.match(await readFile(pairs.join("first.crt"), "utf8"), /BEGIN CERTIFICATE/);
  });

  test("plain HTTP on its port is refused and harms nobody", async () => {
    await install(pairs, "first", "first");
    await using world = await open();
    await assert.rejects(fetch(world.url.replace("https", "http")));
    const { socket, get } = await dial(world.url);
    assert.match(await get("/readyz"), /200 OK/);
    socket.destroy();
  });
});

/** The files are read with real I/O, which a fake clock does not wait for. */
async function untilLogged(
  { clock, log }: { clock: FakeClock; log: ReturnType<typeof createRecordingLog> },
  message: string,
): Promise<void> {
  let done = false;
  const told = eventually(() => log.lines.some((line) => line.message === message)).finally(
    () => (done = true),
  );
  while (!done) await clock.advance(1000);
  await told;
}
