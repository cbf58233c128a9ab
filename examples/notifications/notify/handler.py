"""Tells a customer what happened, on each channel that he or she wants."""

import json
import os

import boto3

s3 = boto3.client("s3")
sns = boto3.client("sns")
CUSTOMERS = os.environ["CUSTOMERS_BUCKET"]
TOPIC = os.environ["TOPIC_ARN"]


def handler(notice, context):
    """`notice` is what the rule's input transformer makes of an event: customer, subject and text."""
    customer = notice["customer"]
    preferences = json.load(s3.get_object(Bucket=CUSTOMERS, Key=f"{customer}.json")["Body"])
    message = f"Dear {preferences['name']}, {notice['text']}"
    # Everybody's e-mail goes through one topic: the subscriptions' filter policies pick the customer's.
    channels = {
        "email": {
            "TopicArn": TOPIC,
            "Subject": notice["subject"],
            "MessageAttributes": {"customer": {"DataType": "String", "StringValue": customer}},
        },
        "sms": {"PhoneNumber": preferences.get("phone")},
        "push": {"TargetArn": preferences.get("device")},
    }
    for channel in preferences["channels"]:
        answer = sns.publish(Message=message, **channels[channel])
        print(f"{customer} by {channel}: {answer['MessageId']}")
    return {"channels": preferences["channels"]}
