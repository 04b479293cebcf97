import { Schema } from "effect"
import { Identifier, IssueId } from "./ids.ts"

/** An issue named in `blocked_by`, resolved against the tracker; `state: null` means it was not found. */
export const Blocker = Schema.Struct({
  id: Schema.NullOr(IssueId),
  identifier: Schema.String,
  state: Schema.NullOr(Schema.String)
})
export type Blocker = typeof Blocker.Type

/** One Markdown file of the tracker, decoded. Every text in it is untrusted. */
export class Issue extends Schema.Class<Issue>("Issue")({
  id: IssueId,
  identifier: Identifier,
  title: Schema.NonEmptyString,
  description: Schema.NullOr(Schema.String),
  /** Smaller is more urgent; any integer counts; `null` comes last. */
  priority: Schema.NullOr(Schema.Int),
  /** The name of the folder the file lies in, verbatim. */
  state: Schema.NonEmptyString,
  branchName: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String),
  /** Lowercased and trimmed. */
  labels: Schema.Array(Schema.String),
  blockedBy: Schema.Array(Blocker),
  /** ISO 8601. */
  createdAt: Schema.NullOr(Schema.String),
  /** ISO 8601. */
  updatedAt: Schema.NullOr(Schema.String),
  assigneeId: Schema.NullOr(Schema.String),
  /** The issue's name in another system, kept for prompts and tools. */
  nativeRef: Schema.NullOr(Schema.String),
  /** The issue whose agent proposed this one; `null` when a person filed it. As the file says: anybody can write it. */
  proposedBy: Schema.NullOr(Schema.String),
  /** File name within the state folder, kept through moves. */
  fileName: Schema.NonEmptyString,
  /** Decimal inode of the file: tells our own move of it from a person's copy. */
  inode: Schema.String,
  /** Epoch milliseconds of the file's last change, when it was read; null where nothing says so. */
  modifiedAt: Schema.NullOr(Schema.Number),
  /** Hash of the file's bytes: "the input changed" means that this changed. */
  contentHash: Schema.String
}) {}
