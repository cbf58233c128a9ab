export { DOWNLOAD_PATH, type SignedDownloads } from './code-downloads.ts';
export { createLambda, type Lambda, type LambdaOptions } from './lambda.ts';
export type { ServiceCaller } from './permissions.ts';
export type { ObjectAccess, ObjectLocation, RoleCheck } from './ports.ts';
export type { LambdaLimits } from './room.ts';
