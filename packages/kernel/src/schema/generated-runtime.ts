// The functions that generated code may call, by the names it calls them by.
import {
  codePoints,
  copyJson,
  countProperties,
  equalsOne,
  FAIL,
  hasLength,
  hasOthers,
  isFields,
  isMultiple,
  isUnique,
  kindOfValue,
  putProperty,
  readProperty,
  UNDESCRIBED,
} from "./json-value.ts";
import { finishCopy, finishStrictCopy, mergeCopies } from "./merged-copy.ts";

/** A scalar is its own copy; a container waits for a schema that describes it. */
function undescribed(value: unknown): unknown {
  const kind = kindOfValue(value);
  if (kind === 0) return FAIL;
  return typeof value === "object" && value !== null ? UNDESCRIBED : value;
}

export const GENERATED_RUNTIME = {
  FAIL,
  UNDESCRIBED,
  codePoints,
  copyJson,
  countProperties,
  equalsOne,
  finishCopy,
  finishStrictCopy,
  hasLength,
  hasOthers,
  isFields,
  isMultiple,
  isUnique,
  kindOfValue,
  mergeCopies,
  putProperty,
  readProperty,
  undescribed,
} as const;
