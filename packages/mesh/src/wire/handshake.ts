/**
 * Who is at the other end: both sides prove that they know the cluster's secret, the caller first
 * (decision 0072).
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Random } from "@banyan/kernel";
import { wireVersion } from "./protocol.ts";

/** What a node says of itself. */
export interface Introduction {
  readonly protocol: "banyan-mesh";
  /** Versions it speaks. */
  readonly versions: readonly number[];
  readonly cluster: string;
  /** Its id. */
  readonly node: string;
  /** 32 bytes in base64url. */
  readonly nonce: string;
  /** Calls it takes at once on a connection. */
  readonly callsMax: number;
  /** Bytes of the longest message it takes. */
  readonly messageBytesMax: number;
}

export type Role = "caller" | "callee";

export interface Identity {
  readonly cluster: string;
  readonly node: string;
  readonly callsMax: number;
  readonly messageBytesMax: number;
}

export function introduce(
  { cluster, node, callsMax, messageBytesMax }: Identity,
  random: Random,
): Introduction {
  return {
    protocol: "banyan-mesh",
    versions: [wireVersion],
    cluster,
    node,
    nonce: Buffer.from(random.bytes(32)).toString("base64url"),
    callsMax,
    messageBytesMax,
  };
}

/** The proof of one side; it holds for this conversation alone. */
export function proofOf(
  secret: string,
  role: Role,
  { caller, callee }: { readonly caller: Introduction; readonly callee: Introduction },
): string {
  const said = [wireVersion, role, caller.cluster, caller.node, callee.node];
  const text = JSON.stringify([...said, caller.nonce, callee.nonce]);
  return createHmac("sha256", secret).update(text, "utf8").digest("base64url");
}

/** In the same time whatever is wrong with it. */
export function isProof(given: unknown, expected: string): boolean {
  if (typeof given !== "string") return false;
  const a = Buffer.from(given, "utf8");
  const b = Buffer.from(expected, "utf8");
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `undefined` for what is no introduction. */
export function parseIntroduction(value: unknown): Introduction | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  // A cast to a bag of unknowns: every field is narrowed below before use.
  const bag = value as Readonly<Record<string, unknown>>;
  const { protocol, versions, cluster, node, nonce, callsMax, messageBytesMax } = bag;
  if (protocol !== "banyan-mesh" || !Array.isArray(versions)) return undefined;
  if (!isName(cluster) || !isName(node)) return undefined;
  if (typeof nonce !== "string" || !/^[\w-]{43}$/.test(nonce)) return undefined;
  if (!isCount(callsMax) || !isCount(messageBytesMax)) return undefined;
  const known = versions.filter((version): version is number => Number.isInteger(version));
  return { protocol, versions: known, cluster, node, nonce, callsMax, messageBytesMax };
}

function isName(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
