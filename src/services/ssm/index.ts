import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Delivery } from '../../events/index.ts';
import type { Store } from '../../store/index.ts';
import { Agenda } from '../agenda.ts';
import type { ServiceAccess } from '../authorization.ts';
import type { Encryption } from '../encryption.ts';
import type { AwsService, RequestContext } from '../service.ts';
import { ssmAuthorization } from './authorization.ts';
import { deleteParameter, deleteParameters } from './operations/delete-parameters.ts';
import { getParameter, getParameterHistory, getParameters } from './operations/get-parameters.ts';
import { labelParameterVersion, unlabelParameterVersion } from './operations/labels.ts';
import { describeParameters, getParametersByPath } from './operations/list-parameters.ts';
import { putParameter } from './operations/put-parameter.ts';
import { getServiceSetting, resetServiceSetting, updateServiceSetting } from './operations/service-settings.ts';
import { addTagsToResource, listTagsForResource, removeTagsFromResource } from './operations/tags.ts';
import { carryOutPolicies } from './policy-actions.ts';
import { AGENDA_PREFIX } from './records.ts';
import { REFUSED } from './refused.ts';
import type { SsmState } from './state.ts';

export interface SsmOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly encryption: Encryption;
  /** What other services may do here, and this one elsewhere, in enforce mode. */
  readonly access: ServiceAccess;
  /** Policies decide (`--iam enforce`). */
  readonly enforce: boolean;
}

export interface Ssm {
  readonly service: AwsService;
  /** Goes on with what an earlier run left. */
  start(): Promise<void>;
  /** Resolves when no policy of a parameter is being carried out. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

type Bound<Input, Output> = (state: SsmState, input: Input, context: RequestContext) => Promise<Output>;

/** Systems Manager: Parameter Store. */
export function createSsm({ store, clock, random, logger, delivery, encryption }: SsmOptions): Ssm {
  const agenda = new Agenda({
    store,
    clock,
    logger,
    prefix: AGENDA_PREFIX,
    run: (item, due) => carryOutPolicies(state, item, due),
  });
  const state: SsmState = { store, clock, random, logger, delivery, encryption, agenda };
  const bind =
    <Input, Output>(operation: Bound<Input, Output>) =>
    (input: Input, context: RequestContext) =>
      operation(state, input, context);
  return {
    service: {
      name: 'ssm',
      operations: {
        AddTagsToResource: bind(addTagsToResource),
        DeleteParameter: bind(deleteParameter),
        DeleteParameters: bind(deleteParameters),
        DescribeParameters: bind(describeParameters),
        GetParameter: bind(getParameter),
        GetParameterHistory: bind(getParameterHistory),
        GetParameters: bind(getParameters),
        GetParametersByPath: bind(getParametersByPath),
        GetServiceSetting: bind(getServiceSetting),
        LabelParameterVersion: bind(labelParameterVersion),
        ListTagsForResource: bind(listTagsForResource),
        PutParameter: bind(putParameter),
        RemoveTagsFromResource: bind(removeTagsFromResource),
        ResetServiceSetting: bind(resetServiceSetting),
        UnlabelParameterVersion: bind(unlabelParameterVersion),
        UpdateServiceSetting: bind(updateServiceSetting),
      },
      refused: REFUSED,
      authorization: (operation, input, context) => ssmAuthorization(state, operation, input, context),
    },
    start: () => agenda.start(),
    idle: () => agenda.idle(),
    close: () => agenda.close(),
  };
}
