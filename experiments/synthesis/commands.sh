# All commands of this experiment, stage by stage: `bash experiments/synthesis/commands.sh STAGE`, in an empty folder. A stage
# that was stopped goes on where it was.
set -e
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
evaluated="dog dog2 dog3 dog5 dog6 dog7 dog8 cat cat2 cat:3 cat:4 cat:5 backpack backpack_dog backpack:3 backpack:4 backpack:5
    colorful_sneaker shiny_sneaker sneaker:3 sneaker:4 sneaker:5 bear_plushie grey_sloth_plushie wolf_plushie
    duck_toy monster_toy rc_car robot_toy"
plushie="stuffed animal:1" # a name with a space
tuned="dog:1 dog:2 cat:1 cat:2 backpack:1 backpack:2 sneaker:1 sneaker:2"
training="model=mini dataset.captions=template dataset.nouns=mini samples=none evaluation=none report=local report.progress=off
    trainer.memory=null trainer.accelerator=cpu outputs=outputs"

world() {
    local who side
    python -m imprint.miniature export evaluated/ $evaluated "$plushie" --photos 16 --masks --format png --places all --fresh 44
    python -m imprint.miniature export tuned/ $tuned --photos 16 --masks --format png --places all --fresh 20
    python -m imprint.miniature export empty/ dog6 --empty 3
    cp "$here/subjects-evaluated.yaml" evaluated/dataset/subjects.yaml
    cp "$here/subjects-tuned.yaml" tuned/dataset/subjects.yaml
    for who in evaluated/fresh/*; do # the first 24 are tested on; the others are what a data set without limit has
        mkdir -p "evaluated/unlimited/$(basename "$who")"
        mv "$who"/2[4-9].png "$who"/[34]?.png "evaluated/unlimited/$(basename "$who")"
    done
    for side in evaluated tuned; do python "$here/figures.py" looks $side; done
}

# set_of SIDE NAME SHOTS SETTING...: data sets of the evaluated or the tuned subjects, one for each number of shots
set_of() {
    local side=$1 name=$2 shots=$3
    shift 3
    imprint synthesise $training method=${method:-lora} collection=folders collection.path=$side/dataset images=20 \
        dataset.shots=$shots "out=$side/$name-\${dataset.shots}" "$@"
}

# Other sides, light and dress than the photos have
views=(synthesis_prompts@synthesis.prompts=grammar
    'synthesis.prompts.template="a {identifier} {noun} {accessory} {place} {property}"'
    'synthesis.prompts.properties=["","","",seen from the side,seen from behind,seen from above,at sunset,in dim light]'
    'synthesis.prompts.accessories=["","","",wearing a red hat,wearing a santa hat,wearing a rainbow scarf,in a police outfit]')
large='synthesis.scale=[0.55,0.85]' # as large as subjects of this world are

# Without `copies`, which rejects most of what begins with a photo
no_copies=("filter=[blank,size,identity,share]" filter.identity.least=null filter.identity.alone=skip)

# rejudged SIDE NAME FROM SHOTS SETTING...: the same pictures, judged by other filters, or with more beside them
rejudged() {
    local side=$1 name=$2 from=$3 shots=$4 k
    shift 4
    for k in ${shots//,/ }; do
        [ -d $side/$name-$k ] || { cp -r $side/$from-$k $side/$name-$k.part; mv $side/$name-$k.part $side/$name-$k; }
    done
    set_of $side $name $shots guidance=2 "${views[@]}" "$@"
}

tuning_sets() {
    set_of tuned paste 1,4 synthesis=paste synthesis.places=empty/places filter=none
    set_of tuned paste_large 1,4 synthesis=paste synthesis.places=empty/places "$large" filter=none
    set_of tuned views 1,4 guidance=2 "${views[@]}"
    set_of tuned views_15 1,4 guidance=1.5 "${views[@]}"
    set_of tuned views_3 1,4 guidance=3 "${views[@]}"
    rejudged tuned views_half views 1,4 filter.share.share=0.5
    rejudged tuned views_whole views 1,4 filter=none
    set_of tuned repaint 1,4 synthesis=repaint guidance=2 "${no_copies[@]}"
    set_of tuned img2img 1,4 synthesis=img2img 'synthesis.strengths=[0.6,0.8]' guidance=2 "${no_copies[@]}"
    set_of tuned mix 1,4 synthesis=mix guidance=2 "${no_copies[@]}"
    method=dreambooth set_of tuned dreambooth 1,4 guidance=2 "${views[@]}"
    set_of tuned paste_more 1,4 synthesis=paste synthesis.places=empty/places "$large" filter=none images=60
    rejudged tuned views_more views 1,4 images=60
    rejudged tuned views_more_half views_more 1,4 images=60 filter.share.share=0.5
}
# study_of SIDE UPDATES SETTING...: ResNets of the evaluated, of whom there are more classes, have more updates
study_of() {
    local side=$1 updates=$2
    shift 2
    imprint study --config-dir "$here/conf" encoders=mini accelerator=cpu parts=tell learners.resnet.updates=$updates \
        learners.probe.positions=32 learners.probe.decays=[1e-3] data=[$side/dataset] test=$side/fresh seeds=[0,1,2] "$@"
}

keep() { python "$here/figures.py" keep "$1" "$2"; }

# sets SIDE SHOTS NAME...: as pictures={...} takes them
sets() {
    local side=$1 k=$2 name found=""
    shift 2
    for name in "$@"; do found="$found,$name:$side/$name-$k"; done
    echo "{${found#,}}"
}

# Which kind of drawn pictures
tuning_drawn() {
    local k
    for k in 1 4; do
        study_of tuned 80 "arms=[classical,drawn]" shots=[$k] out=tuned/study-$k \
            "pictures=$(sets tuned $k views views_15 views_3 views_half views_whole dreambooth repaint img2img mix)"
        keep tuned/study-$k kinds-$k
    done
}

# What is put together, and how often it takes a photo's place
tuning() {
    local k
    for k in 1 4; do
        study_of tuned 80 "arms=[classical,candidates]" shots=[$k] out=tuned/study-$k \
            "pictures=$(sets tuned $k paste paste_large paste_more views_half views_more_half)"
        keep tuned/study-$k tuning-$k
    done
}

# of_others SHOTS: the data sets of the subjects that nothing is chosen on
of_others() {
    set_of evaluated views $1 guidance=2 "${views[@]}"
    set_of evaluated paste $1 synthesis=paste synthesis.places=empty/places "$large" filter=none
    rejudged evaluated views_half views $1 filter.share.share=0.5
    set_of evaluated paste_more $1 synthesis=paste synthesis.places=empty/places "$large" filter=none images=60
    if [ $1 = 1 ]; then # its model has seen no photo
        set_of evaluated untuned 1 synthesis=untuned guidance=2 "${views[@]}" filter=none
    fi
}

# compared_with SHOTS: pictures={...} of the evaluated
compared_with() {
    local own
    own=$(sets evaluated $1 paste paste_more views views_half)
    echo "${own%\}},untuned:evaluated/untuned-1,truth:evaluated/true,unlimited:evaluated/unlimited}"
}

# comparing SHOTS [NAME]: NAME is what the results are kept as
comparing() {
    study_of evaluated 240 "arms=[real,classical,compared]" shots=[$1] "pictures=$(compared_with $1)" out=evaluated/study
    keep evaluated/study ${2:-compared}-$1
}

# How many drawn pictures is a real one worth? More photos alone, and one photo with fewer drawn pictures
worth() {
    study_of evaluated 240 arms=[classical] shots=[1,2,4,16] out=evaluated/study
    keep evaluated/study real-1
    study_of evaluated 240 "arms=[classical,few]" shots=[1] pictures={views:evaluated/views-1} out=evaluated/study \
        'counts={synthetic:[2,5]}'
    keep evaluated/study drawn-1
}

# Which method, prior and number of steps make the best data, on the subjects to tune on
methods() {
    local each
    set_of tuned lora_100 4 hparams.steps=100 guidance=2 "${views[@]}"
    set_of tuned lora_prior 4 prior=generated prior.count=100 guidance=2 "${views[@]}"
    method=textual_inversion set_of tuned inversion 4 guidance=2 "${views[@]}"
    each="lora_100 views lora_prior dreambooth inversion"
    study_of tuned 80 "arms=[classical,methods]" shots=[4] out=tuned/study-4 "pictures=$(sets tuned 4 $each)"
    keep tuned/study-4 methods-4
    imprint evaluate "run=[$(python "$here/figures.py" runs $(for name in $each; do echo tuned/$name-4; done))]" accelerator=cpu \
        evaluation.pictures.subject.images=1 evaluation.pictures.class.images=1 evaluation.rows=[]
    python "$here/figures.py" likeness $(for name in $each; do echo tuned/$name-4; done)
}

"$@"; exit # on one line: the file may change while it runs
