/** What subscriptions and their bus know of each other. */

import type { ChannelModel } from "amqplib";
import type { Clock, Log, Random } from "@banyan/kernel";
import type { DeadLetter } from "@banyan/messaging";
import type {
  Burial,
  BusWheel,
  HeldDelivery,
  ResolvedSubscribeSpec,
} from "@banyan/messaging/internal";
import type { GroupView } from "./group-view.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Source } from "./queue-intake.ts";
import type { Waits } from "./waits.ts";

/** A subscription, for its bus and for the other members of its group. */
export interface OpenSubscription {
  readonly spec: ResolvedSubscribeSpec;
  /** Tells one broadcast, or one member, of a name from another. */
  readonly id: string;
  readonly name: string;
  readonly view: GroupView;
  /** Its queues were there once. */
  readonly wasOpen: boolean;
}

/** What a subscription needs of its bus. */
export interface SubscriptionHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly waits: Waits;
  readonly counters: { handled: number; retried: number; deadLettered: number; expired: number };
  /** Declares the queues of a subscription and says what to consume. */
  prepare(subscription: OpenSubscription, connection: ChannelModel): Promise<readonly Source[]>;
  letterOf(subscription: OpenSubscription, held: HeldDelivery, burial: Burial): DeadLetter;
  /** One of its messages is safe among the dead. */
  readonly buried: (letter: DeadLetter) => void;
  /** The queue of its dead letters is not there: makes it. */
  declareLetters(subscription: OpenSubscription): Promise<void>;
  /** Of the members of an ordered group it is the one that the partition is to go to. */
  ownsPartition(subscription: OpenSubscription, index: number): boolean;
  /** A message is through: there may be room in its group. */
  finished(view: GroupView): void;
  /** It is closed: what of its queues is nobody else's goes. */
  deleteQueues(subscription: OpenSubscription): Promise<void>;
  left(subscription: OpenSubscription, unhandled: number): void;
  connection(): ChannelModel | undefined;
}
