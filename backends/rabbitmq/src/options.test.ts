import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { resolveRabbitmqOptions } from "./options.ts";

const secret = "hunter2";

test("a url says all, what is given alone wins, and defaults stand for the rest", () => {
  const url = `amqps://ada:${secret}%25@[::1]:5673/shop`;
  const { places, username, password, vhost, tls } = resolveRabbitmqOptions({ url });
  assert.deepEqual(
    [places, username, password, vhost, tls],
    [[{ host: "::1", port: 5673 }], "ada", `${secret}%`, "shop", {}],
  );
  const hosts = ["a", "b:1"];
  const alone = resolveRabbitmqOptions({ url, hosts, username: "eve", vhost: "/" });
  assert.deepEqual(
    [alone.places, alone.username, alone.vhost],
    [
      [
        { host: "a", port: 5673 },
        { host: "b", port: 1 },
      ],
      "eve",
      "/",
    ],
  );
  const usual = resolveRabbitmqOptions();
  assert.deepEqual(
    [usual.places, usual.username, usual.vhost, usual.tls, usual.queueType],
    [[{ host: "127.0.0.1", port: 5672 }], "guest", "/", undefined, "quorum"],
  );
});

const wrong: readonly (readonly [options: object, said: RegExp])[] = [
  [{ url: `http://ada:${secret}@h` }, /url must be like amqp:/],
  [{ url: `amqp:ada:${secret}@h` }, /url must be like amqp:/],
  [{ url: `amqp://ada:${secret}%zz@h` }, /url has a % that stands for nothing/],
  [{ url: "amqp://h?heartbeat=3" }, /parameters behind \?/],
  [{ url: "amqps://h", tls: false }, /tls is false and url begins with amqps/],
  [{ password: 7 }, /password is no text/],
  [{ hosts: [] }, /hosts must be a list/],
  [{ hosts: ["a b"] }, /a member is written host:port/],
  [{ tls: { ca: "/no/such.pem" } }, /tls\.ca names \/no\/such\.pem/],
  [{ tls: { key: "k" } }, /tls\.certificate and tls\.key go together/],
  [{ tls: { caa: "k" } }, /did you mean "ca"/],
  [{ namespace: "a.b" }, /namespace must be/],
  [{ queueType: "stream" }, /queueType must be/],
  [{ priorities: 1, queueType: "classic" }, /priorities must be true or false/],
  [{ priorities: true }, /priorities need queueType "classic"/],
  [{ format: "structured" }, /format must be "plain" or "cloudevents"/],
  [{ deadLettersMaxAgeMs: 999 }, /deadLettersMaxAgeMs must be a whole number from 1000/],
  [{ partitions: 65 }, /partitions must be a whole number from 1 to 64/],
  [{ prefetch: 3 }, /has no option "prefetch"/],
];

for (const [options, said] of wrong) {
  const shown = JSON.stringify(options).replaceAll(secret, "…");
  test(`${shown} is refused with what to write`, () => {
    assert.throws(
      () => resolveRabbitmqOptions(options),
      (error: unknown) => {
        assert(isBanyanError(error, "MESSAGING_OPTIONS_INVALID"));
        assert.match(error.message, said);
        assert(!error.message.includes(secret), "a secret is shown");
        return true;
      },
    );
  });
}
