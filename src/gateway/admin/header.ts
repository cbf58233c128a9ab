/** Sent by our own tools with every request that changes something; a web page cannot without a preflight, which fails. */
export const ADMIN_HEADER = 'x-kobune-admin';
