export type { AuthorizationRequest, AwsService, Operation, Principal, RequestBody, RequestContext } from './service.ts';
