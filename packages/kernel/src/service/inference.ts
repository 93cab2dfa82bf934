/** Types that a contract implies: handlers, stores, clients, events. No run-time code. */

import type { TObject } from "typebox";
import type { Call, CallOptions } from "../call/call.ts";
import type {
  AnyContract,
  EventSpec,
  ExtensionPointSpec,
  ExtensionSpec,
  StoreSpec,
  SubscriptionSpec,
} from "../contract/contract.ts";
import type { OperationSpec, OperationTree } from "../contract/operation.ts";
import type { EventOf } from "../ports/event.ts";
import type { Locks } from "../ports/lock.ts";
import type { RevisedStore, ScopedStore, Store, TransactionStore } from "../ports/store.ts";
import type { InferInput, InferOutput, Schema } from "../schema/standard.ts";

type Nothing = Record<never, never>;

/** The declared part, or an empty record where the contract says nothing. */
type Part<C extends AnyContract, K extends keyof C["spec"]> =
  NonNullable<C["spec"][K]> extends infer P extends object ? P : Nothing;

/** The configuration a service is handed. */
export type ConfigOf<C extends AnyContract> = C["spec"]["config"] extends TObject
  ? Readonly<InferOutput<C["spec"]["config"]>>
  : Nothing;

/** Typed stores by name. */
export type StoresOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "stores">]: Part<C, "stores">[K] extends { readonly scoped: true }
    ? ScopedStoreOf<Part<C, "stores">[K]>
    : StoreOf<Part<C, "stores">[K]>;
};

type ScopedStoreOf<S> = S extends StoreSpec
  ? StoreOf<S> extends infer T extends Store<InferOutput<S["value"]>>
    ? ScopedStore<InferOutput<S["value"]>, T>
    : never
  : never;

/** Locks by name. */
export type LocksOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "locks">]: Locks;
};

/** The store that a declaration makes: its entries have a revision if it asked for `revisions`. */
export type StoreOf<S> = S extends StoreSpec
  ? Asks<S, "revisions"> extends true
    ? RevisedStore<InferOutput<S["value"]>>
    : Store<InferOutput<S["value"]>>
  : never;

/** Whether a declaration names a capability; a list of just any strings names none. */
type Asks<S, N extends string> = S extends { readonly capabilities: readonly (infer A)[] }
  ? string extends A
    ? false
    : N extends A
      ? true
      : false
  : false;

/** The stores that declared `transaction`, as a transaction sees them. */
export type TransactionStoresOf<C extends AnyContract> = {
  readonly [
    K in keyof Part<C, "stores"> as Asks<Part<C, "stores">[K], "transaction"> extends true
      ? K
      : never
  ]: Part<C, "stores">[K] extends StoreSpec
    ? TransactionStore<InferOutput<Part<C, "stores">[K]["value"]>>
    : never;
};

/** Payload of a declared event. */
export type PayloadOf<E> = E extends { readonly payload: infer P extends Schema }
  ? E extends EventSpec
    ? InferInput<P>
    : never
  : E extends Schema
    ? InferInput<E>
    : never;

/** Event name → payload. */
export type EventsOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "events"> & string]: PayloadOf<Part<C, "events">[K]>;
};

type RequestInput<O extends OperationSpec> = O["request"] extends Schema
  ? InferInput<O["request"]>
  : Nothing;
type RequestOutput<O extends OperationSpec> = O["request"] extends Schema
  ? InferOutput<O["request"]>
  : Nothing;

/** The raw HTTP exchange a handler gets. */
export interface HttpExchangeInput {
  readonly request: Request;
  /** Values of the path's `:name` segments, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

/** The function a service must supply for an operation. */
export type HandlerOf<O extends OperationSpec> = O extends { readonly http: object }
  ? (exchange: HttpExchangeInput, call: Call) => Promise<Response> | Response
  : O extends { readonly stream: infer F extends Schema }
    ? (request: RequestOutput<O>, call: Call) => AsyncIterable<InferInput<F>>
    : O extends { readonly response: infer R extends Schema }
      ? (request: RequestOutput<O>, call: Call) => Promise<InferInput<R>> | InferInput<R>
      : (request: RequestOutput<O>, call: Call) => Promise<void> | void;

/** Handlers in the shape of the operation tree. */
export type HandlersOf<T> = {
  readonly [K in keyof T]: T[K] extends OperationSpec
    ? HandlerOf<T[K]>
    : T[K] extends OperationTree
      ? HandlersOf<T[K]>
      : never;
};

type MethodOf<O extends OperationSpec> = O extends { readonly http: object }
  ? never
  : O extends { readonly stream: infer F extends Schema }
    ? (request: RequestInput<O>, options?: Call | CallOptions) => AsyncIterable<InferOutput<F>>
    : O extends { readonly response: infer R extends Schema }
      ? (request: RequestInput<O>, options?: Call | CallOptions) => Promise<InferOutput<R>>
      : (request: RequestInput<O>, options?: Call | CallOptions) => Promise<void>;

type MethodsOf<T> = {
  readonly [
    K in keyof T as T[K] extends { readonly http: object } ? never : K
  ]: T[K] extends OperationSpec
    ? MethodOf<T[K]>
    : T[K] extends OperationTree
      ? MethodsOf<T[K]>
      : never;
};

/** What a caller of the service gets: one method per operation, groups nested. */
export type Client<C extends AnyContract> = MethodsOf<Part<C, "operations">>;

/** Clients of what a contract `uses`, and of what is `optional` while somebody provides it. */
export type ClientsOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "uses">]: Part<C, "uses">[K] extends AnyContract
    ? Client<Part<C, "uses">[K]>
    : never;
} & {
  readonly [K in keyof Part<C, "optional">]: Part<C, "optional">[K] extends AnyContract
    ? Client<Part<C, "optional">[K]> | undefined
    : never;
};

/** Handlers of the declared subscriptions; what they answer is waited for and not looked at. */
export type SubscribersOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "subscriptions">]: Part<
    C,
    "subscriptions"
  >[K] extends SubscriptionSpec<infer D, infer E>
    ? (event: EventOf<EventsOf<D>[E & keyof EventsOf<D>]>, call: Call) => unknown
    : never;
};

type PointOf<C extends AnyContract, P> = P extends keyof Part<C, "extensionPoints">
  ? Part<C, "extensionPoints">[P]
  : never;

/** What an implementation of a point must supply. */
export type ExtensionHandlerOf<C extends AnyContract, P extends string> =
  PointOf<C, P> extends {
    readonly kind: "provider";
    readonly request: infer Q extends Schema;
    readonly response: infer R extends Schema;
  }
    ? (request: InferOutput<Q>, call: Call) => Promise<InferInput<R>> | InferInput<R>
    : PointOf<C, P> extends { readonly kind: "listener"; readonly event: infer E }
      ? (event: EventOf<EventsOf<C>[E & keyof EventsOf<C>]>, call: Call) => Promise<void> | void
      : never;

/** Implementations of others' points. */
export type ExtensionsOf<C extends AnyContract> = {
  readonly [K in keyof Part<C, "extensions">]: Part<C, "extensions">[K] extends ExtensionSpec<
    infer D,
    infer P
  >
    ? ExtensionHandlerOf<D, P>
    : never;
};

/** What one implementation of a provider answered. */
export interface Contribution<R> {
  /** The service that implements the point. */
  readonly service: string;
  readonly response: R;
}

/** How a contract's owner asks the implementations of its `provider` points. */
export type PointsOf<C extends AnyContract> = {
  readonly [
    K in keyof Part<C, "extensionPoints"> as Part<C, "extensionPoints">[K] extends {
      readonly kind: "provider";
    }
      ? K
      : never
  ]: Part<C, "extensionPoints">[K] extends ExtensionPointSpec & {
    readonly request: infer Q extends Schema;
    readonly response: infer R extends Schema;
  }
    ? {
        /** Asks them all, in the order of their service names; fails if one fails. */
        collect(request: InferInput<Q>, call?: Call): Promise<Contribution<InferOutput<R>>[]>;
      }
    : never;
};

export type { Part };
