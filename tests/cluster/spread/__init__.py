"""Stories spread over several clusters: each takes the next portion when it is done."""
