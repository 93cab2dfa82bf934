/** One leader at a time, and always another when it goes. */

import assert from "node:assert/strict";
import type { Candidate, CandidateState, Term } from "@banyan/kernel";
import { take, ttlMs } from "./lock-subject.ts";
import type { LockCheck, LockSubject, Owner } from "./lock-subject.ts";

interface Office {
  readonly owner: Owner;
  readonly candidate: Candidate;
  readonly terms: Term[];
  readonly states: CandidateState["kind"][];
}

/** A candidate whose work lasts as long as its term. */
async function campaign(
  subject: LockSubject,
  key?: string,
  lifeMs: number = ttlMs,
): Promise<Office> {
  const owner = await subject.owner();
  const terms: Term[] = [];
  const states: CandidateState["kind"][] = [];
  const candidate = owner.locks.lead(
    async (term) => {
      terms.push(term);
      await endOf(term.signal);
    },
    { ttlMs: lifeMs, key, onState: ({ kind }) => states.push(kind) },
  );
  await subject.rig.settle();
  return { owner, candidate, terms, states };
}

function endOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function fencesOf(offices: readonly Office[]): number[] {
  return offices.flatMap(({ terms }) => terms.map(({ fence }) => fence)).sort((a, b) => a - b);
}

export const leaderChecks: readonly LockCheck[] = [
  {
    name: "a candidate whose time in office is longer than anybody may wait leads all the same",
    async run(subject) {
      const { candidate } = await campaign(subject, undefined, 2 * 3_600_000);
      assert.equal(candidate.state.kind, "leading");
      await candidate.stop();
    },
  },
  {
    name: "one candidate leads, and another follows when it stops",
    async run(subject) {
      const offices = [await campaign(subject), await campaign(subject), await campaign(subject)];
      const [first, ...others] = offices;
      assert(first !== undefined);
      await subject.live(ttlMs * 3);
      assert.deepEqual(
        offices.map(({ candidate }) => candidate.state.kind),
        ["leading", "campaigning", "campaigning"],
      );
      await first.candidate.stop();
      assert.equal(first.candidate.state.kind, "stopped");
      assert.equal(first.terms[0]?.signal.aborted, true);
      await subject.live(ttlMs * 2);
      const leading = others.filter(({ candidate }) => candidate.state.kind === "leading");
      assert.equal(leading.length, 1);
      assert.equal(fencesOf(offices).length, 2);
      const fence = leading[0]?.terms[0]?.fence ?? 0;
      assert(fence > (first.terms[0]?.fence ?? Infinity), "each term has a greater number");
      await Promise.all(others.map(({ candidate }) => candidate.stop()));
    },
  },
  {
    name: "a leader that was paused past its time learns that it is none, and campaigns again",
    async run(subject) {
      const [first, second] = [await campaign(subject), await campaign(subject)];
      first.owner.isPaused = true;
      await subject.live(ttlMs * 3);
      assert.equal(second.candidate.state.kind, "leading");
      assert.equal(first.terms[0]?.signal.aborted, false);
      first.owner.clock.sleepThrough(ttlMs * 3);
      first.owner.isPaused = false;
      await subject.live(ttlMs);
      assert.equal(first.terms[0]?.signal.aborted, true);
      assert.deepEqual(first.states, ["leading", "campaigning"]);
      await second.candidate.stop();
      await subject.live(ttlMs * 2);
      assert.equal(first.candidate.state.kind, "leading");
      assert.equal(first.terms.length, 2);
      await first.candidate.stop();
    },
  },
  {
    name: "a leader whose work ends or fails resigns, and campaigns again",
    async run(subject) {
      const owner = await subject.owner();
      const fences: number[] = [];
      const candidate = owner.locks.lead(
        ({ fence }) => {
          fences.push(fence);
          if (fences.length === 1) throw new RangeError("on purpose");
        },
        { ttlMs },
      );
      await subject.live(60_000, 1000);
      assert(fences.length >= 3, `${fences.length} terms in a minute`);
      const ascending = [...new Set(fences)].sort((a, b) => a - b);
      assert.deepEqual(fences, ascending);
      await candidate.stop();
    },
  },
  {
    name: "a candidate whose engine cannot be asked says so, and leads when it can",
    async run(subject) {
      subject.rig.isReachable = false;
      const { candidate, states } = await campaign(subject, "region");
      await subject.live(ttlMs * 2);
      assert.equal(candidate.state.kind, "unavailable");
      subject.rig.isReachable = true;
      await subject.live(ttlMs * 2);
      assert.equal(candidate.state.kind, "leading");
      assert.equal(states.at(-1), "leading");
      await candidate.stop();
    },
  },
  {
    name: "a candidate that is stopped, by whatever way, leaves the lock free",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const stop = new AbortController();
      const leader = ada.locks.lead(({ signal }) => endOf(signal), { signal: stop.signal });
      const follower = bob.locks.lead(() => assert.fail("it led"), { signal: stop.signal });
      await subject.rig.settle();
      stop.abort();
      await Promise.all([leader.stopped, follower.stopped]);
      assert.deepEqual([leader.state.kind, follower.state.kind], ["stopped", "stopped"]);
      assert.equal((await take(bob)).isHeld, true);
      const late = ada.locks.lead(() => assert.fail("it led"), { signal: stop.signal });
      await late.stopped;
    },
  },
];
