"""What an application writes: the `Job` base class, the `@job` decorator, and the calls that push."""
