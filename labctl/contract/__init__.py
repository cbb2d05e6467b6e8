"""What documents hold: named by the types of their fields, written as JSON Schemas, and read by them."""
