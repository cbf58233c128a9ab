import type { AwsService, RequestContext } from '../../services/index.ts';
import { iamModel, lambdaModel, logsModel, s3Model, sqsModel, stsModel } from '../index.ts';
import { cloudWatchModel, ec2Model } from './dev-models.ts';
import { type AnyOperation, entry, Served } from './served.ts';

/** What an operation was told. */
export interface Told {
  readonly input: Record<string, unknown>;
  readonly context: RequestContext;
}

/** Some operations of services of every protocol, which note down what they are told, in `told`. */
export async function everything(
  more: Partial<AwsService> = {},
): Promise<{ readonly served: Served; readonly told: Told[] }> {
  const told: Told[] = [];
  const tell: AnyOperation = async (input, context) => {
    told.push({ input, context });
    return {};
  };

  const served = await Served.start({
    services: [
      entry(
        s3Model,
        {
          ListBuckets: tell,
          ListObjects: tell,
          ListObjectsV2: tell,
          GetObject: tell,
          HeadObject: tell,
          PutObject: tell,
          CopyObject: tell,
          UploadPart: tell,
          UploadPartCopy: tell,
          CreateBucket: tell,
          ListParts: tell,
          CompleteMultipartUpload: tell,
          AbortMultipartUpload: tell,
          DeleteObject: tell,
          GetBucketLocation: tell,
          GetObjectTagging: tell,
        },
        more,
      ),
      entry(
        lambdaModel,
        { ListFunctions: tell, GetFunction: tell, Invoke: tell, ListLayers: tell },
        { refused: { CreateCapacityProvider: 'there are no managed instances here; use a plain function.' } },
      ),
      entry(sqsModel, { SendMessage: tell, ListQueues: tell }),
      entry(logsModel, { DescribeLogGroups: tell }),
      entry(stsModel, { GetCallerIdentity: tell }),
      entry(iamModel, { ListUsers: tell }),
      entry(ec2Model, { DescribeVpcs: tell }),
      entry(cloudWatchModel, { ListMetrics: tell, PutMetricData: tell }),
    ],
  });
  return { served, told };
}
