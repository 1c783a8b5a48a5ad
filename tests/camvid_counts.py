"""What CamVid's 367 training masks of 360×480 hold, by class and void last: counted in the SegNet authors' files."""

# sky building pole road pavement tree sign fence car pedestrian bicyclist void
PIXELS = [
    10682767, 14750079, 623349, 20076880, 2845085, 6166762, 743859, 714595, 3719877, 405385, 184967, 2503995
]  # fmt: skip
IMAGES = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201, 367]  # images in which the class occurs
