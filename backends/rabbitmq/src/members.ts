/**
 * Who the members of ordered groups are, so that they share the partitions. Each member tells all
 * processes of itself when it comes, when it is asked, and every few seconds; one that is not heard
 * of any more is forgotten.
 *
 * What it owns: an exclusive queue on the exchange of these announcements.
 *
 * M1. What is believed here decides only who takes which partition; that one member has it at a
 *     time is the server's promise (single active consumer), so a wrong belief costs balance, not
 *     order.
 */

import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { createIdSource } from "@banyan/kernel";
import type { CancelTimer, Clock, IdSource, Log, Random } from "@banyan/kernel";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { WaitsAnnouncement } from "./waits-census.ts";

const heartbeatMs = 4000;
const giveWayMs = 100;
const forgottenAfterMs = 13_000;
const upPauseMs = 500;

/** What members say; what waits in the server is told over the same exchange. */
interface Announcement {
  readonly kind: "here" | "who" | "bye";
  readonly group: string;
  readonly member: string;
}

/** A member of this process. */
export interface OwnMember {
  readonly id: string;
  readonly name: string;
  /** The members of its group have changed. */
  membersChanged(): void;
}

export interface MembersPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly names: Names;
  readonly outbound: Outbound;
  /** Another process tells what it has sent to wait. */
  readonly heardWaits: (said: object) => void;
}

export class Members {
  readonly #ports: MembersPorts;
  readonly #ids: IdSource;
  readonly #own = new Set<OwnMember>();
  /** Group → member → when it was heard of last, monotonic. */
  readonly #known = new Map<string, Map<string, number>>();
  #cancelTimer: CancelTimer | undefined = undefined;
  #connection: ChannelModel | undefined = undefined;
  /** Binds the queue to the exchange, once more. */
  #bind: (() => Promise<unknown>) | undefined = undefined;

  constructor(ports: MembersPorts) {
    this.#ports = ports;
    this.#ids = createIdSource(ports.clock, ports.random);
  }

  /** Ids of the members of a group, in an order that all nodes agree on. */
  of(group: string): readonly string[] {
    return [...(this.#known.get(group)?.keys() ?? [])].toSorted();
  }

  /** Whose the partition is to be. */
  ownerOf(group: string, partition: number): string | undefined {
    const members = this.of(group);
    return members[partition % members.length];
  }

  /** @throws what the server refuses */
  async up(connection: ChannelModel): Promise<void> {
    this.#connection = connection;
    const channel = await connection.createChannel();
    channel.on("error", (error) => {
      this.#ports.log.warn("announcements of members are not heard", { error });
    });
    const { members } = this.#ports.names;
    const queue = this.#ports.names.membersQueue(this.#ids.uuid());
    await channel.assertQueue(queue, { exclusive: true, durable: false });
    await channel.bindQueue(queue, members, "");
    await channel.consume(queue, (message) => this.#arrived(channel, message), { noAck: true });
    channel.on("close", () => this.#upLater(connection));
    this.#bind = () => channel.bindQueue(queue, members, "");
    for (const own of this.#own) this.#tell("who", own);
  }

  /** Its connection is gone. */
  down(): void {
    this.#connection = undefined;
    this.#bind = undefined;
  }

  /** Resolves when the others had a moment to give way. */
  join(own: OwnMember): Promise<void> {
    this.#own.add(own);
    this.#note(own.name, own.id);
    this.#tell("who", own);
    this.#cancelTimer ??= this.#ports.clock.setTimer(heartbeatMs, this.#beat);
    return this.#ports.clock.sleep(giveWayMs);
  }

  leave(own: OwnMember): void {
    if (!this.#own.delete(own)) return;
    this.#known.get(own.name)?.delete(own.id);
    this.#tell("bye", own);
    this.#changed(own.name);
  }

  close(): void {
    this.#cancelTimer?.();
    this.#own.clear();
  }

  /** Something of it was deleted by hand. */
  #upLater(connection: ChannelModel): void {
    if (this.#connection !== connection) return;
    this.#bind = undefined;
    this.#ports.clock.setTimer(upPauseMs, () => {
      if (this.#connection !== connection) return;
      this.up(connection).catch(() => this.#upLater(connection));
    });
  }

  readonly #beat = (): void => {
    // Their exchange may have been deleted, and made again by another node.
    this.#bind?.().catch(() => undefined); // that ends the channel, which is opened again
    for (const own of this.#own) this.#tell("here", own);
    const { clock } = this.#ports;
    const beforeMs = clock.monotonicMs() - forgottenAfterMs;
    for (const [group, members] of this.#known) {
      let isChanged = false;
      for (const [member, heardMs] of members) {
        if (heardMs >= beforeMs || this.#isOwn(group, member)) continue;
        members.delete(member);
        isChanged = true;
      }
      if (isChanged) this.#changed(group);
    }
    this.#cancelTimer = this.#own.size > 0 ? clock.setTimer(heartbeatMs, this.#beat) : undefined;
  };

  #arrived(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) void channel.close().catch(() => undefined); // its queue was deleted
    else this.#heard(message.content);
  }

  #heard(content: Buffer): void {
    let said: Announcement | WaitsAnnouncement;
    try {
      // Written by a node of this namespace; anything else is passed over.
      said = JSON.parse(content.toString("utf8")) as Announcement | WaitsAnnouncement;
    } catch {
      return;
    }
    if (typeof said !== "object" || said === null) return;
    if (said.kind === "waits") {
      this.#ports.heardWaits(said);
      return;
    }
    const { kind, group, member } = said;
    const own = [...this.#own].filter(({ name }) => name === group);
    if (own.length === 0) return;
    if (kind === "bye") {
      if (this.#known.get(group)?.delete(member) === true) this.#changed(group);
      return;
    }
    this.#note(group, member);
    if (kind === "who") for (const each of own) if (each.id !== member) this.#tell("here", each);
  }

  #note(group: string, member: string): void {
    const members = this.#known.get(group) ?? new Map<string, number>();
    this.#known.set(group, members);
    const isNew = !members.has(member);
    members.set(member, this.#ports.clock.monotonicMs());
    if (isNew) this.#changed(group);
  }

  #changed(group: string): void {
    for (const own of this.#own) if (own.name === group) own.membersChanged();
  }

  #isOwn(group: string, member: string): boolean {
    return [...this.#own].some(({ name, id }) => name === group && id === member);
  }

  #tell(kind: Announcement["kind"], { id, name }: OwnMember): void {
    const said: Announcement = { kind, group: name, member: id };
    const { outbound, names, clock } = this.#ports;
    outbound.send({
      exchange: names.members,
      routingKey: "",
      content: Buffer.from(JSON.stringify(said), "utf8"),
      properties: { deliveryMode: 1 },
      deadlineMs: clock.monotonicMs() + heartbeatMs,
      isRepeated: true,
      onEnd: () => undefined, // M1: it is said again soon
    });
  }
}
