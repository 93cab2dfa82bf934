/** What goes into statements and comes out of them. */

/** A value that SQLite takes and gives. */
export type SqlValue = string | number | null;

/** Rows as arrays, columns in the order of the statement. */
export type SqlRow = readonly SqlValue[];
