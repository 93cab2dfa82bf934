import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { askRedis } from "./redis-command.ts";
import { redisPrograms } from "./redis-program.ts";
import { openRedisServer } from "./redis-server.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { openTcpProxy } from "./tcp-proxy.ts";
import type { TcpProxy, TcpTarget } from "./tcp-proxy.ts";
import { until } from "./until.ts";
import { withTimeout } from "./with-timeout.ts";

const redisTest = { skip: await findReasonToSkip(redisPrograms) };

/** Answers what it is sent, in capitals. */
class Shouter implements AsyncDisposable {
  readonly to: TcpTarget;
  received = "";
  connections = 0;
  readonly #close: () => void;

  private constructor(to: TcpTarget, close: () => void) {
    this.to = to;
    this.#close = close;
  }

  static async open(): Promise<Shouter> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      shouter.connections += 1;
      socket.setEncoding("utf8").on("error", () => undefined);
      socket.on("close", () => (shouter.connections -= 1));
      socket.on("end", () => socket.end());
      socket.on("data", (words: string) => {
        shouter.received += words;
        socket.write(words.toUpperCase());
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const shouter = new Shouter({ host: "127.0.0.1", port: address.port }, () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return shouter;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }
}

class Client implements Disposable {
  readonly closed: Promise<string>;
  received = "";
  readonly #socket: Socket;
  #code = "no error";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8").on("data", (words: string) => (this.received += words));
    socket.on("error", (error) => (this.#code = "code" in error ? String(error.code) : "?"));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => resolve(this.#code));
    });
  }

  static async open({ host, port }: TcpProxy): Promise<Client> {
    const socket = connect({ host, port });
    const client = new Client(socket);
    await once(socket, "connect");
    return client;
  }

  say(words: string): void {
    this.#socket.write(words);
  }

  async hear(words: string): Promise<void> {
    await until(() => this.received === words, { what: `Hearing ${words}` });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Long enough for bytes to cross loopback many times over: what does not come now was held. */
const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test("a healthy line passes everything both ways, and the end of each side", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to });
  const { host, port } = proxy;
  const sent = "long ".repeat(1_000_000);
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.end(sent);
  assert.equal(await text(socket), sent.toUpperCase());
  assert.deepEqual([proxy.bytesToServer, proxy.bytesToClient], [sent.length, sent.length]);
  await until(() => proxy.connections === 0, { what: "The connection's end" });
  assert.equal(proxy.accepted, 1);
});

test("cut resets what is open and refuses what is new, until healed on the same port", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to });
  using client = await Client.open(proxy);
  client.say("a");
  await client.hear("A");
  assert.equal(proxy.connections, 1);
  const { port } = proxy;
  proxy.cut();
  assert.equal(await client.closed, "ECONNRESET");
  assert.equal(proxy.connections, 0);
  await until(() => shouter.connections === 0, { what: "The server's notice" });
  await assert.rejects(Client.open(proxy), { code: "ECONNREFUSED" });
  proxy.cut();
  await proxy.heal();
  await proxy.heal();
  assert.equal(proxy.port, port);
  using second = await Client.open(proxy);
  second.say("b");
  await second.hear("B");
});

test("what was passed on before a cut reaches the server", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to });
  using client = await Client.open(proxy);
  client.say("last words");
  await until(() => proxy.bytesToServer === 10, { what: "The passing on" });
  proxy.cut();
  await until(() => shouter.received === "last words", { what: "The arrival" });
});

test("with replies dropped a request is served, and no answer comes, nor a later one", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to });
  using client = await Client.open(proxy);
  using other = await Client.open(proxy);
  client.say("a");
  await client.hear("A");
  proxy.dropReplies();
  client.say("b");
  await until(() => shouter.received === "ab", { what: "The request's arrival" });
  await moment();
  assert.equal(client.received, "A");
  proxy.passReplies();
  assert.equal(await withTimeout(client.closed, { what: "The reset" }), "ECONNRESET");
  assert.equal(client.received, "A");
  other.say("c"); // it lost nothing, so it goes on
  await other.hear("C");
});

test("a stalled line holds bytes both ways and lets them go in order", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to });
  using client = await Client.open(proxy);
  client.say("a");
  await client.hear("A");
  proxy.stall();
  client.say("b");
  using second = await Client.open(proxy);
  second.say("z");
  await moment();
  assert.equal(shouter.received, "a");
  client.say("c");
  proxy.resume();
  await client.hear("ABC");
  await second.hear("Z");
});

test("a delay is added to each way; a shorter one lets nothing overtake", async () => {
  await using shouter = await Shouter.open();
  await using proxy = await openTcpProxy({ to: shouter.to, delayMs: 40 });
  using client = await Client.open(proxy);
  const startedAt = performance.now();
  client.say("a");
  await until(() => shouter.received === "a", { what: "The request's arrival" });
  assert.ok(performance.now() - startedAt >= 39);
  await client.hear("A");
  assert.ok(performance.now() - startedAt >= 79);
  client.say("b");
  await moment();
  proxy.delayMs = 0;
  client.say("c");
  await client.hear("ABC");
});

test("a server that is down or gone is one that resets", async () => {
  await using proxy = await openTcpProxy({ to: { host: "127.0.0.1", port: 1 } });
  using client = await Client.open(proxy);
  assert.equal(await client.closed, "ECONNRESET");
  await using shouter = await Shouter.open();
  proxy.to = shouter.to;
  using second = await Client.open(proxy);
  second.say("a");
  await second.hear("A");
});

test("the end of the scope leaves no connection and no port", async () => {
  await using shouter = await Shouter.open();
  let gone: TcpProxy;
  let client: Client;
  {
    await using proxy = await openTcpProxy({ to: shouter.to });
    client = await Client.open(proxy);
    gone = proxy;
  }
  assert.equal(await client.closed, "ECONNRESET");
  await assert.rejects(Client.open(gone), { code: "ECONNREFUSED" });
  await until(() => shouter.connections === 0, { what: "The server's notice" });
});

test("a URL is led through it, and a real server is behind", redisTest, async () => {
  await using redis = await openRedisServer({ listen: "tcp" });
  assert.ok("port" in redis.address);
  await using proxy = await openTcpProxy({ to: redis.address });
  assert.equal(proxy.urlOf(redis.url), `redis://127.0.0.1:${proxy.port}`);
  const secret = proxy.urlOf("postgres://user:p%40ss@localhost:5432/name?x=1");
  assert.equal(secret, `postgres://user:p%40ss@127.0.0.1:${proxy.port}/name?x=1`);
  const ask = (...words: string[]): Promise<unknown> =>
    askRedis({ host: proxy.host, port: proxy.port }, words, 1_000);
  assert.equal(await ask("SET", "name", "1"), "OK");
  proxy.dropReplies();
  const lost = ask("INCR", "name");
  const isServed = async (): Promise<boolean> => (await redis.ask("GET", "name")) === "2";
  await until(isServed, { what: "The lost command's effect" });
  proxy.cut();
  await assert.rejects(lost, /ECONNRESET/);
  await proxy.heal();
  assert.equal(await ask("GET", "name"), "2");
});
