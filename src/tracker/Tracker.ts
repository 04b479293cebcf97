import { Context, type Effect, Schema, type Stream } from "effect"
import type { Identifier, IssueId } from "../domain/ids.ts"
import type { Issue } from "../domain/Issue.ts"
import type { Problem } from "../domain/Problem.ts"

/** An issue file that is there, and of which nobody knows what it holds now. */
export interface UnreadableFile {
  /** The folder it lies in. */
  readonly state: string
  readonly problem: Problem
  /** What was read from it last, by this process; null when it never could be. */
  readonly last: Issue | null
}

/** The tracker as it was last seen, whole. */
export interface TrackerSnapshot {
  /** Every readable issue of every state folder, in file order. A duplicate id appears once, the others as problems. */
  readonly issues: ReadonlyArray<Issue>
  readonly byId: ReadonlyMap<IssueId, Issue>
  /** Files and folders that could not be read or are refused, each named. */
  readonly problems: ReadonlyArray<Problem>
  /** The issue files behind those problems, by name: what they hold is not known, which is not the same as gone. */
  readonly unreadable: ReadonlyMap<string, UnreadableFile>
  /** Number of the scan, counted from 1 as they begin: what happened after it began may not be in it. */
  readonly scan: number
  /** Why the tracker as a whole cannot be read just now: the rest is what was read last. Null when it can. */
  readonly outage: string | null
}

/** The tracker as a whole could not be read or written. Says nothing about any issue in it. */
export class TrackerError extends Schema.TaggedError<TrackerError>()("TrackerError", {
  operation: Schema.Literals(["scan", "read", "create", "move", "append"]),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `tracker: cannot ${this.operation} ${this.path}: ${this.detail}`
  }
}

export class IssueNotFound extends Schema.TaggedError<IssueNotFound>()("IssueNotFound", {
  id: Schema.String
}) {
  override get message(): string {
    return `no issue ${this.id} in the tracker`
  }
}

/** The file is there but cannot be decoded: not the same as gone. */
export class IssueUnreadable extends Schema.TaggedError<IssueUnreadable>()("IssueUnreadable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.path}: ${this.detail}`
  }
}

/** The name is taken in the target state, by another file. */
export class IssueNameTaken extends Schema.TaggedError<IssueNameTaken>()("IssueNameTaken", {
  path: Schema.String
}) {
  override get message(): string {
    return `${this.path} exists already`
  }
}

export class IssueRefused extends Schema.TaggedError<IssueRefused>()("IssueRefused", {
  /** The field at fault. */
  field: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.field}: ${this.detail}`
  }
}

export interface NewIssue {
  /** Default: `<PREFIX>-<next number>`, over all states. */
  readonly identifier: string | null
  readonly title: string
  /** Default: the first active state. Must be a declared state, or the one that issues are parked in. */
  readonly state: string | null
  readonly description: string | null
  readonly priority: number | null
  readonly labels: ReadonlyArray<string>
  readonly blockedBy: ReadonlyArray<string>
  /** Further front matter, such as the provenance of a proposed issue. */
  readonly extra: Readonly<Record<string, string>>
}

export interface MoveRequest {
  readonly id: IssueId
  readonly fileName: string
  readonly from: string
  readonly to: string
  /** Inode of the file that is meant: another file of that name is not moved. */
  readonly inode: string
}

/**
 * `moved`: by this call. `already`: an earlier call of the same request had done it (also finishes a move
 * that died between link and unlink). `elsewhere`: a person moved, removed or replaced the file; theirs wins.
 */
export type MoveResult =
  | { readonly _tag: "moved"; readonly state: string }
  | { readonly _tag: "already"; readonly state: string }
  | { readonly _tag: "elsewhere"; readonly state: string | null }

/**
 * Issues by state. Reading is a look at the current snapshot; the layer watches and scans, and never lets
 * one bad file hide the others. A watch may miss something: ask for a `refresh` now and then.
 */
export class Tracker extends Context.Service<
  Tracker,
  {
    /** As last scanned; no I/O. */
    readonly snapshot: Effect.Effect<TrackerSnapshot>
    /** Number of the last scan that has begun: what is done now is in all that follow. */
    readonly lastScan: Effect.Effect<number>
    /** The present snapshot, then each that differs from it. */
    readonly changes: Stream.Stream<TrackerSnapshot>
    /** Scans now. A failure leaves the last snapshot in force, with the outage in it. */
    readonly refresh: Effect.Effect<TrackerSnapshot, TrackerError>
    /** Reads one issue's file anew, wherever it lies. */
    readonly read: (id: IssueId) => Effect.Effect<Issue, IssueNotFound | IssueUnreadable | TrackerError>
    readonly create: (
      issue: NewIssue
    ) => Effect.Effect<
      { readonly identifier: Identifier; readonly state: string; readonly path: string },
      IssueNameTaken | IssueRefused | TrackerError
    >
    /** Idempotent: link, fsync, unlink, fsync; never overwrites. */
    readonly move: (request: MoveRequest) => Effect.Effect<MoveResult, IssueNameTaken | TrackerError>
    /**
     * Appends a block to the issue's body, durably. A block whose `key` is already there is not added again,
     * so that it may be asked for twice.
     */
    readonly append: (
      id: IssueId,
      block: { readonly key: string; readonly heading: string; readonly text: string }
    ) => Effect.Effect<void, IssueNotFound | IssueUnreadable | TrackerError>
  }
>()("symphony/tracker/Tracker") {}
