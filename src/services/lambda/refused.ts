const SIGNING = 'code signing is not there; deploy unsigned packages';
const DURABLE = 'durable executions are not there; invoke the function';
const CAPACITY = 'capacity providers are not there; functions run on this machine';
const SCALING = 'use PutFunctionConcurrency and PutProvisionedConcurrencyConfig';
const RESOURCE_POLICY = 'use AddPermission, RemovePermission and GetPolicy';

/** Operations of the SDK that are not served, each with what to do instead. */
export const REFUSED: Readonly<Record<string, string>> = {
  CheckpointDurableExecution: DURABLE,
  CreateCapacityProvider: CAPACITY,
  CreateCodeSigningConfig: SIGNING,
  DeleteCapacityProvider: CAPACITY,
  DeleteCodeSigningConfig: SIGNING,
  DeleteFunctionCodeSigningConfig: SIGNING,
  DeleteResourcePolicy: RESOURCE_POLICY,
  GetCapacityProvider: CAPACITY,
  GetCodeSigningConfig: SIGNING,
  GetDurableExecution: DURABLE,
  GetDurableExecutionHistory: DURABLE,
  GetDurableExecutionState: DURABLE,
  GetFunctionScalingConfig: SCALING,
  GetResourcePolicy: RESOURCE_POLICY,
  ListCapacityProviders: CAPACITY,
  ListCodeSigningConfigs: SIGNING,
  ListDurableExecutionsByFunction: DURABLE,
  ListFunctionVersionsByCapacityProvider: CAPACITY,
  ListFunctionsByCodeSigningConfig: SIGNING,
  PutFunctionCodeSigningConfig: SIGNING,
  PutFunctionScalingConfig: SCALING,
  PutResourcePolicy: RESOURCE_POLICY,
  SendDurableExecutionCallbackFailure: DURABLE,
  SendDurableExecutionCallbackHeartbeat: DURABLE,
  SendDurableExecutionCallbackSuccess: DURABLE,
  StopDurableExecution: DURABLE,
  UpdateCapacityProvider: CAPACITY,
  UpdateCodeSigningConfig: SIGNING,
};
