/**
 * What each contestant of the area promises of a call, as it is measured: what a figure stands for.
 *
 * Of Moleculer and NestJS, what is said of deadlines, callers that give up and lost connections was
 * read in the sources of the versions that are pinned; the rest is as they document it, and held by
 * nobody but us: corrections are welcome.
 */

import { peerVersion } from "../peers.ts";
import type { CallGuarantee } from "../result.ts";

/** By name in the table. */
export const guarantees = {
  ours: {
    name: "ours",
    checked: "request by the provider, fields that it does not know dropped; the answer too",
    deadline: "every call has one; the time left crosses and bounds what is below",
    cancel: "crosses; the handler's signal is aborted",
    lost: "ends at once; tried again only where nothing can have been done",
    peer: "HMAC over the cluster's secret, or certificates",
  },
  raw: {
    name: "framed TCP by hand",
    checked: "nothing",
    deadline: "no",
    cancel: "no",
    lost: "no: waits for ever",
    peer: "nobody asks",
  },
  moleculer: {
    name: "Moleculer TCP",
    checked: "request, by its validator; the answer not",
    deadline: "off as it comes; if set, it crosses and bounds calls below",
    cancel: "no",
    lost: "fails once the node is known to be gone; retries are an option",
    peer: "nobody asks",
  },
  moleculerNats: {
    name: "Moleculer NATS",
    checked: "request, by its validator; the answer not",
    deadline: "off as it comes; if set, it crosses and bounds calls below",
    cancel: "no",
    lost: "fails once the node is known to be gone; retries are an option",
    peer: "NATS may ask; here it does not",
  },
  nest: {
    name: "NestJS TCP",
    checked: "nothing as it comes; pipes may",
    deadline: "no",
    cancel: "no: the client forgets the call, the server goes on",
    lost: "fails with the socket; not tried again",
    peer: "nobody asks; TLS is an option",
  },
  fastify: {
    name: `Fastify, called by undici ${peerVersion("undici")}, 64 connections`,
    checked: "request by its schema; the answer is written by its schema, unchecked",
    deadline: "the client's own timeouts; they do not cross",
    cancel: "the connection is cut; the handler may look at its socket",
    lost: "fails with the socket; an agent that retries is an option",
    peer: "nobody asks; TLS is an option",
  },
} as const satisfies Readonly<Record<string, CallGuarantee>>;
