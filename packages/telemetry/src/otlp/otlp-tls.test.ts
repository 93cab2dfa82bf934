/** Export over TLS, by both transports. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import {
  createTestCertificates,
  FakeClock,
  findReasonToSkip,
  opensslPrograms,
} from "@banyan/testbed";
import type { TestCertificates } from "@banyan/testbed";
import { openOtlpExporter } from "./otlp-exporter.ts";
import type { OtlpHealth } from "./otlp-health.ts";
import type { OtlpProtocol, OtlpTls } from "./otlp-options.ts";
import { openReceiver } from "./otlp-receiver.test.ts";
import type { Receiver } from "./otlp-receiver.test.ts";
import { sampleResource, sampleSpan } from "./otlp-spans.test.ts";

const protocols: readonly OtlpProtocol[] = ["http/protobuf", "grpc"];

/** Sends one span and tells how that went. */
async function tryOne(
  receiver: Receiver,
  protocol: OtlpProtocol,
  tls: OtlpTls,
): Promise<OtlpHealth> {
  const clock = new FakeClock();
  const endpoint = receiver.endpointFor(protocol);
  const exporter = openOtlpExporter({ endpoint, protocol, tls, clock, resource: sampleResource });
  exporter.add([sampleSpan()]);
  await exporter.flush();
  const health = exporter.health();
  const closed = exporter.close({ timeoutMs: 0 });
  await clock.advance(0);
  await closed;
  return health;
}

function openSecure(certificates: TestCertificates, clientCa?: string): Promise<Receiver> {
  const tls = { ...certificates.server, ...(clientCa === undefined ? {} : { clientCa }) };
  return openReceiver({ tls });
}

describe("OTLP over TLS", { skip: await findReasonToSkip(opensslPrograms) }, () => {
  test("a receiver is trusted by its authority, and by no other", async () => {
    await using certificates = await createTestCertificates();
    await using receiver = await openSecure(certificates);
    const ca = await readFile(certificates.ca, "utf8");
    const foreignCa = await readFile(certificates.foreignCa, "utf8");
    for (const protocol of protocols) {
      for (const tls of [{ ca: foreignCa }, {}]) {
        const { state, lastError, sentSpans, queuedSpans } = await tryOne(receiver, protocol, tls);
        assert.deepEqual([state, sentSpans, queuedSpans], ["failing", 0, 1], protocol);
        assert.match(lastError ?? "", /unable to verify|unable to get|self.signed/i);
      }
    }
    assert.equal(receiver.received.length, 0);
    for (const protocol of protocols) {
      assert.equal((await tryOne(receiver, protocol, { ca })).sentSpans, 1, protocol);
    }
    assert.equal((await receiver.untilReceived(2)).length, 2);
  });

  test("a receiver that asks for a certificate takes ours, and nobody else's", async () => {
    await using certificates = await createTestCertificates();
    await using receiver = await openSecure(certificates, certificates.ca);
    const ca = await readFile(certificates.ca, "utf8");
    const { client, foreignClient } = certificates;
    const [own, foreign] = await Promise.all(
      [client, foreignClient].map(async ({ certificate, key }) => ({
        ca,
        cert: await readFile(certificate, "utf8"),
        key: await readFile(key, "utf8"),
      })),
    );
    assert(own !== undefined && foreign !== undefined);
    for (const protocol of protocols) {
      for (const tls of [{ ca }, foreign]) {
        assert.equal((await tryOne(receiver, protocol, tls)).state, "failing", protocol);
      }
      assert.equal((await tryOne(receiver, protocol, own)).sentSpans, 1, protocol);
    }
    assert.equal((await receiver.untilReceived(2)).length, 2);
    // Half of one pair and half of the other is found before anything is sent.
    const endpoint = receiver.http;
    const mixed = { ...own, key: foreign.key };
    assert.throws(
      () => openOtlpExporter({ endpoint, protocol: "grpc", tls: mixed, resource: sampleResource }),
      { code: "TELEMETRY_OTLP_TLS_INVALID" },
    );
  });
});
