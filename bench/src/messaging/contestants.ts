/** Who takes part in the area `messaging`, and the servers that they speak with. */

import { openRabbitmq, openRedisServer } from "@banyan/testbed";
import type { BenchRun } from "../area.ts";
import { openSubjects } from "../embedded/contestants.ts";
import type { SubjectFile } from "../embedded/contestants.ts";
import { peerVersion } from "../peers.ts";
import type { Guarantee } from "../result.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { guarantees } from "./guarantees.ts";

export const queueTypes = ["quorum", "classic"] as const;
export type QueueType = (typeof queueTypes)[number];

export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly guarantee: Guarantee;
  readonly subject: SubjectProcess;
}

/** One type of queue: ours and the baseline have it alike. */
export interface Field {
  readonly queueType: QueueType;
  readonly ours: SubjectProcess;
  readonly raw: SubjectProcess;
  readonly rawName: string;
  /** Beside this type of queue; those without a RabbitMQ beside each. */
  readonly peers: readonly Peer[];
}

/** Opens every subject on servers of its own. */
export async function openFields(bench: BenchRun, stack: AsyncDisposableStack): Promise<Field[]> {
  const rabbitmq = stack.use(await openRabbitmq());
  const bullmq = await openBullmq(bench, stack);
  const version = (await rabbitmq.ask("rabbit_misc:version()")).replaceAll('"', "");
  const fields: Field[] = [];
  for (const queueType of queueTypes) {
    const args = [rabbitmq.url, queueType];
    const [own, raw, nest, ...others] = await open(bench, stack, [
      ["rabbitmq-banyan.bench.ts", ...args],
      ["rabbitmq-raw.bench.ts", ...args],
      ["peer-nest.bench.mjs", ...args],
      // All its queues have the same options, and most of them cannot be quorum queues.
      ...(queueType === "classic" ? [["peer-moleculer.bench.mjs", rabbitmq.url] as const] : []),
    ]);
    if (own === undefined || raw === undefined || nest === undefined)
      throw new Error("unreachable");
    fields.push({
      queueType,
      ours: own,
      raw,
      rawName: `amqplib ${peerVersion("amqplib")}, RabbitMQ ${version}`,
      peers: [
        peerOf(guarantees.nest, "@nestjs/microservices", nest),
        ...others.map((subject) => peerOf(guarantees.moleculer, "moleculer", subject)),
        ...bullmq,
      ],
    });
  }
  return fields;
}

async function openBullmq(bench: BenchRun, stack: AsyncDisposableStack): Promise<Peer[]> {
  const asItComes = stack.use(await openRedisServer());
  const always = stack.use(
    await openRedisServer({ config: { appendonly: "yes", appendfsync: "always" } }),
  );
  const subjects = await open(
    bench,
    stack,
    [asItComes, always].map(({ address }) => {
      return ["peer-bullmq.bench.mjs", "path" in address ? address.path : ""];
    }),
  );
  const [first, second] = subjects;
  if (first === undefined || second === undefined) throw new Error("unreachable");
  return [
    peerOf(guarantees.bullmq, "bullmq", first),
    peerOf(guarantees.bullmqAlways, "bullmq", second),
  ];
}

function peerOf(guarantee: Guarantee, packageName: string, subject: SubjectProcess): Peer {
  return { name: guarantee.name, version: peerVersion(packageName), guarantee, subject };
}

function open(
  bench: BenchRun,
  stack: AsyncDisposableStack,
  files: readonly SubjectFile[],
): Promise<SubjectProcess[]> {
  const beside = files.map(([file, ...args]): SubjectFile => [`../messaging/${file}`, ...args]);
  return openSubjects(bench, stack, beside);
}
