"""What a lab leaves on the engine's containers, networks and volumes: labels and the records in them."""
