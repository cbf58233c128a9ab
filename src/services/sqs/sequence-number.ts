/** Messages of one commit that can be told apart. */
export const MAX_POSITIONS = 16_384;

/** Where a message of a FIFO queue stands: by the revision of its commit, then by its place within it. */
export const orderOf = (revision: number, position: number): number => revision * MAX_POSITIONS + position;

/** The sequence number of a FIFO message, as 20 digits like the real ones. Ascends in the order of the commits. */
export const sequenceNumber = (order: number): string => `188${String(order).padStart(17, '0')}`;
