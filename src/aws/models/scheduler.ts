import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const schedulerModel: ServiceModel = {
  name: 'scheduler',
  protocols: ['restJson1'],
  version: '2021-06-30',

  schemas: () => import('@aws-sdk/client-scheduler/dist-es/schemas/schemas_0.js'),
};
