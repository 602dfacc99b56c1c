"""The tests of principles files, put to a judge or checked against its recorded verdicts."""
