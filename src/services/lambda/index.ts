export { DOWNLOAD_PATH, type SignedDownloads } from './code-downloads.ts';
export { createLambda, type Lambda, type LambdaOptions, type LambdaSource } from './lambda.ts';
export type {
  EventMessage,
  EventQueue,
  EventQueues,
  FunctionImages,
  ImageName,
  ImageUse,
  ObjectAccess,
  ObjectLocation,
  PulledImage,
  RoleCheck,
} from './ports.ts';
export type { LambdaLimits } from './room.ts';
export type { UrlAnswer, UrlRequest } from './url-event.ts';
export { corsHeaders, type FoundUrl, FunctionUrls } from './url-invocation.ts';
