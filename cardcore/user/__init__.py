"""Who: people, their personal data, credentials, codes and entitlements. Calls no other room."""
