/**
 * Whom clients of the testbed's databases are. No secret: the databases are on loopback, private to
 * one test, and gone after it.
 */
export const databaseUser = "banyan";
export const databasePassword = "banyan";
export const databaseName = "banyan";
